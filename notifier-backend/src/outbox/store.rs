//! The SQL of the outbox: blocking functions on one connection.

use super::types::{Accepted, Conflict, Delivery, Outcome, StoreError};
use super::view::{DeliveryState, DeliveryView, Filter, NotificationView, Page};
use crate::notification::{Millis, Notification, Target};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, named_params, params};
use std::path::Path;
use std::time::Duration;

const SCHEMA: &str = include_str!("schema.sql");
/// Notifications that one call of [`prune`] deletes at most, so that it does not delay other writes for long.
const PRUNE_BATCH: u32 = 1000;

/// Opens the file. With these settings a commit returns when its data is on the disk.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.execute_batch(SCHEMA)?;
    let known: i64 =
        connection.query_row("SELECT count(*) FROM pragma_table_info('deliveries') WHERE name = 'epoch'", [], |row| row.get(0))?;
    if known == 0 {
        connection.execute_batch("ALTER TABLE deliveries ADD COLUMN epoch TEXT")?;
    }
    Ok(connection)
}

/// Stores a notification and one delivery per target, unless its idempotency key was used before.
pub(super) fn accept(
    tx: &Transaction<'_>,
    new: &Notification,
    key: Option<(&str, &str)>,
    now: Millis,
) -> Result<Result<Accepted, Conflict>, StoreError> {
    if let Some((key, request)) = key
        && let Some((id, before)) = find_by_key(tx, key)?
    {
        return Ok(if before == request { Ok(Accepted { id, replayed: true }) } else { Err(Conflict) });
    }
    let data = serde_json::to_string(&new.envelope)?;
    let id = &new.envelope.id;
    tx.prepare_cached(
        "INSERT INTO notifications (id, data, accepted_ms, due_ms, idempotency_key, request) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![id, data, now.0, new.due.0, key.map(|(key, _)| key), key.map(|(_, request)| request)])?;
    let notification = tx.last_insert_rowid();
    let mut insert =
        tx.prepare_cached("INSERT INTO deliveries (id, notification, target, due_ms, changed_ms) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (n, target) in new.targets.iter().enumerate() {
        insert.execute(params![format!("{id}-{n}"), notification, target.to_string(), new.due.0, now.0])?;
    }
    Ok(Ok(Accepted { id: id.clone(), replayed: false }))
}

fn find_by_key(tx: &Transaction<'_>, key: &str) -> Result<Option<(String, String)>, StoreError> {
    let mut find = tx.prepare_cached("SELECT id, request FROM notifications WHERE idempotency_key = ?1")?;
    Ok(find.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// Records the outcome of an attempt.
pub(super) fn record_outcome(tx: &Transaction<'_>, delivery: &str, outcome: &Outcome, now: Millis) -> Result<(), StoreError> {
    let (state, cause, retry, epoch) = match outcome {
        Outcome::Delivered { epoch } => (DeliveryState::Delivered, None, 0, Some(epoch)),
        Outcome::Failed { cause } => (DeliveryState::Failed, Some(cause), 0, None),
        Outcome::Retry { cause, at } => (DeliveryState::Pending, Some(cause), at.0, None),
    };
    tx.prepare_cached(
        "UPDATE deliveries SET state = ?2, cause = ?3, retry_ms = ?4, epoch = ?5, attempts = attempts + 1, changed_ms = ?6
         WHERE id = ?1 AND state = 0",
    )?
    .execute(params![delivery, state as u8, cause, retry, epoch, now.0])?;
    Ok(())
}

/// Makes deliveries to `target` pending again that were made after `since` in an epoch other than this. Returns their number.
pub(super) fn requeue_lost(tx: &Transaction<'_>, target: &Target, epoch: &str, since: Millis, now: Millis) -> Result<usize, StoreError> {
    let mut update = tx.prepare_cached(
        "UPDATE deliveries SET state = 0, cause = 'the gateway lost the history', retry_ms = 0, changed_ms = :now
         WHERE target = :target AND state = 1 AND epoch NOT IN ('', :epoch) AND changed_ms >= :since",
    )?;
    Ok(update.execute(named_params! {":now": now.0, ":target": target.to_string(), ":epoch": epoch, ":since": since.0})?)
}

/// Users with a delivery after `since` whose channel has a history. In the order of their names, from after `last`.
pub(super) fn users_with_deliveries(
    connection: &Connection,
    last: Option<&str>,
    since: Millis,
    limit: usize,
) -> Result<Vec<String>, StoreError> {
    let mut find = connection.prepare_cached(
        "SELECT DISTINCT target FROM deliveries WHERE state = 1 AND target > :last AND target < 'user!' AND epoch <> '' AND changed_ms >= :since
         ORDER BY target LIMIT :limit",
    )?;
    let last = Target::User(last.unwrap_or_default().to_owned()).to_string();
    let targets =
        find.query_map(named_params! {":last": last, ":since": since.0, ":limit": sql_count(limit)}, |row| row.get::<_, String>(0))?;
    let users = targets.map(|target| match Target::parse(&target?) {
        Some(Target::User(user)) => Ok(user),
        other => Err(StoreError::Corrupt(format!("a delivery has the target {other:?}, which is not a user"))),
    });
    users.collect()
}

/// Reads the table of next deliveries, so its cost depends on `:limit` and not on the number of pending deliveries.
pub(super) const DUE: &str = "SELECT d.id, n.id, n.data, d.target, d.due_ms, d.attempts
    FROM next_deliveries x CROSS JOIN deliveries d ON d.seq = x.delivery CROSS JOIN notifications n ON n.seq = d.notification
    WHERE x.ready_ms <= :now ORDER BY x.ready_ms, x.delivery LIMIT :limit";

/// The next delivery of each target, if it is due. The order is that in which they became due.
pub(super) fn due(connection: &Connection, now: Millis, limit: usize) -> Result<Vec<Delivery>, StoreError> {
    let mut find = connection.prepare_cached(DUE)?;
    let rows = find.query_map(named_params! {":now": now.0, ":limit": sql_count(limit)}, |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, String>(3)?, Millis(row.get(4)?), row.get(5)?))
    })?;
    rows.map(|row| {
        let (id, notification, data, target, due, attempts) = row?;
        let target = Target::parse(&target).ok_or_else(|| StoreError::Corrupt(format!("delivery {id} has the target {target:?}")))?;
        Ok(Delivery { id, notification, data, target, due, attempts })
    })
    .collect()
}

/// Number of pending deliveries.
pub(super) fn pending(connection: &Connection) -> Result<u64, StoreError> {
    let count: i64 = connection.prepare_cached("SELECT count(*) FROM deliveries WHERE state = 0")?.query_row([], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// One notification with its deliveries.
pub(super) fn find(connection: &Connection, id: &str) -> Result<Option<NotificationView>, StoreError> {
    let mut find = connection.prepare_cached("SELECT seq, id, data, accepted_ms, due_ms FROM notifications WHERE id = ?1")?;
    let found = find.query_row([id], read_row).optional()?;
    found.map(|row| view(connection, row)).transpose()
}

/// A page of notifications, newest first.
pub(super) fn list(connection: &Connection, filter: &Filter) -> Result<Page, StoreError> {
    let mut find = connection.prepare_cached(
        "SELECT seq, id, data, accepted_ms, due_ms FROM notifications n WHERE seq < :before AND (:state IS NULL AND :target IS NULL
           OR EXISTS (SELECT 1 FROM deliveries d WHERE d.notification = n.seq
                      AND (:state IS NULL OR d.state = :state) AND (:target IS NULL OR d.target = :target)))
         ORDER BY seq DESC LIMIT :limit",
    )?;
    let state = filter.state.map(|state| state as u8);
    let target = filter.user.as_ref().map(|user| Target::User(user.clone()).to_string());
    let limit = sql_count(filter.limit.saturating_add(1));
    let before = filter.after.unwrap_or(i64::MAX);
    let rows = find.query_map(named_params! {":before": before, ":state": state, ":target": target, ":limit": limit}, read_row)?;
    let mut rows = rows.collect::<Result<Vec<_>, _>>()?;
    let more = rows.len() > filter.limit;
    rows.truncate(filter.limit);
    let next = if more { rows.last().map(|row| row.seq.to_string()) } else { None };
    let notifications = rows.into_iter().map(|row| view(connection, row)).collect::<Result<_, _>>()?;
    Ok(Page { notifications, next })
}

/// Deletes finished notifications that are too old or too many. Returns their number.
pub(super) fn prune(tx: &Transaction<'_>, older_than: Millis, keep: u64) -> Result<usize, StoreError> {
    let mut delete = tx.prepare_cached(
        "DELETE FROM notifications WHERE seq IN (
             SELECT n.seq FROM notifications n WHERE NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.notification = n.seq AND d.state = 0)
             AND (n.due_ms < :older AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.notification = n.seq AND d.changed_ms >= :older)
                  OR n.seq <= (SELECT seq FROM notifications ORDER BY seq DESC LIMIT 1 OFFSET :keep))
             ORDER BY n.seq LIMIT :batch)",
    )?;
    let keep = i64::try_from(keep).unwrap_or(i64::MAX);
    Ok(delete.execute(named_params! {":older": older_than.0, ":keep": keep, ":batch": PRUNE_BATCH})?)
}

struct NotificationRow {
    seq: i64,
    id: String,
    data: String,
    accepted: Millis,
    due: Millis,
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<NotificationRow> {
    Ok(NotificationRow { seq: row.get(0)?, id: row.get(1)?, data: row.get(2)?, accepted: Millis(row.get(3)?), due: Millis(row.get(4)?) })
}

fn view(connection: &Connection, row: NotificationRow) -> Result<NotificationView, StoreError> {
    let mut find = connection
        .prepare_cached("SELECT target, state, attempts, cause, changed_ms FROM deliveries WHERE notification = ?1 ORDER BY seq")?;
    let rows = find
        .query_map([row.seq], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u8>(1)?, row.get(2)?, row.get(3)?, Millis(row.get(4)?))))?;
    let targets = rows
        .map(|row| {
            let (target, state, attempts, cause, changed) = row?;
            let state =
                DeliveryState::from_column(state).ok_or_else(|| StoreError::Corrupt(format!("a delivery has the state {state}")))?;
            let target = Target::parse(&target).ok_or_else(|| StoreError::Corrupt(format!("a delivery has the target {target:?}")))?;
            Ok(DeliveryView::new(target, state, attempts, cause, changed))
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    let envelope = serde_json::from_str(&row.data)?;
    Ok(NotificationView {
        id: row.id,
        accepted_at: row.accepted.to_rfc3339(),
        due_at: row.due.to_rfc3339(),
        notification: envelope,
        targets,
    })
}

fn sql_count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
