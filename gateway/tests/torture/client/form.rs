//! What a client negotiates. It changes how frames look, and not what they say.

use crate::{content::SKIPPED, delivery_checker::View};
use gateway_core::protocol::centrifuge::{
    Codec,
    testing::{DeltaReader, pong, read_replies, write_command},
};
use serde_json::{Value, json};
use shared_proto::frontend::{Frame, Method};
use std::collections::HashMap;
use tokio_tungstenite::tungstenite::Message;

/// A bit of `flag` of a subscribe command: pushes may have a number in place of the channel's name.
const COMPACTION: u32 = 1;

/// The encoding of a client, and what it asks for when it subscribes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    codec: Codec,
    is_compact: bool,
    wanted: Wanted,
}

/// What a client asks for when it subscribes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// All publications, each whole.
    All,
    /// All publications, as deltas.
    Deltas,
    /// The publications without the tag [`SKIPPED`].
    Unskipped,
}

impl Form {
    /// JSON, and nothing negotiated.
    pub(crate) const PLAIN: Self = Self { codec: Codec::Json, is_compact: false, wanted: Wanted::All };

    /// The form of the client with this number. Each form is as frequent.
    pub(crate) fn of(number: usize) -> Self {
        let codec = if number.is_multiple_of(2) { Codec::Json } else { Codec::Protobuf };
        Self { codec, is_compact: number / 2 % 2 == 1, wanted: [Wanted::All, Wanted::Deltas, Wanted::Unskipped][number / 4 % 3] }
    }

    /// The form with this number of those with JSON.
    pub(crate) fn json(number: usize) -> Self {
        Self::of(2 * number)
    }

    /// The form with this number of those with Protobuf.
    pub(crate) fn protobuf(number: usize) -> Self {
        Self::of(2 * number + 1)
    }

    pub(crate) fn codec(self) -> Codec {
        self.codec
    }

    fn has_deltas(self) -> bool {
        self.wanted == Wanted::Deltas
    }

    /// What it sees of a channel.
    pub(crate) fn view(self) -> View {
        if self.wanted == Wanted::Unskipped { View::Filtered } else { View::Whole }
    }

    /// The query of the upgrade request.
    pub(crate) fn query(self) -> &'static str {
        match self.codec {
            Codec::Json => "",
            Codec::Protobuf => "?format=protobuf",
        }
    }
}

/// Translates the frames of one connection.
pub(crate) struct Translator {
    form: Form,
    /// The channels of subscribe commands, by command id.
    requested: HashMap<u64, String>,
    /// The names of channels, by number.
    names: HashMap<u64, String>,
    /// What makes data from deltas, by channel.
    deltas: HashMap<String, DeltaReader>,
}

impl Translator {
    pub(crate) fn new(form: Form) -> Self {
        Self { form, requested: HashMap::new(), names: HashMap::new(), deltas: HashMap::new() }
    }

    pub(crate) fn command(&mut self, id: u32, method: Method) -> Message {
        let mut command = serde_json::to_value(method.with_id(id)).expect("it is JSON");
        if let Some(Value::Object(connect)) = command.get_mut("connect") {
            // The gateway gives numbers in Protobuf to SDKs that find them.
            connect.insert("name".into(), "go".into());
        }
        if let Some(Value::Object(subscribe)) = command.get_mut("subscribe") {
            self.requested.insert(id.into(), subscribe["channel"].as_str().unwrap_or_default().to_owned());
            subscribe.insert("flag".into(), json!(u32::from(self.form.is_compact) * COMPACTION));
            subscribe.insert("delta".into(), json!(if self.form.has_deltas() { "fossil" } else { "" }));
            if self.form.wanted == Wanted::Unskipped {
                subscribe.insert("tf".into(), json!({ "key": SKIPPED, "cmp": "nex" }));
            }
        }
        self.message(write_command(self.form.codec, &command))
    }

    pub(crate) fn pong(&self) -> Message {
        self.message(pong(self.form.codec).to_vec())
    }

    fn message(&self, payload: Vec<u8>) -> Message {
        match self.form.codec {
            Codec::Json => Message::text(String::from_utf8(payload).expect("JSON is UTF-8")),
            Codec::Protobuf => Message::binary(payload),
        }
    }

    /// The frames of a message, with channel names and whole data. The error says how the server violated the protocol.
    pub(crate) fn frames(&mut self, message: &Message) -> Result<Vec<Frame>, String> {
        let payload: &[u8] = match (message, self.form.codec) {
            (Message::Text(text), Codec::Json) => text.as_bytes(),
            (Message::Binary(bytes), Codec::Protobuf) => bytes,
            (other, _) => return Err(format!("{other:?} does not fit the encoding")),
        };
        read_replies(self.form.codec, payload)?.into_iter().map(|reply| self.translate(reply)).collect()
    }

    fn translate(&mut self, mut reply: Value) -> Result<Frame, String> {
        let id = reply["id"].as_u64().unwrap_or_default();
        if let (Some(answer), Some(channel)) = (reply.get_mut("subscribe"), self.requested.remove(&id)) {
            self.subscribed(channel, answer)?;
        }
        if let Some(push) = reply.get_mut("push") {
            if let Some(number) = push["id"].as_u64().filter(|number| *number > 0) {
                let name = self.names.get(&number).ok_or_else(|| format!("the number {number} is unknown"))?;
                push["channel"] = name.as_str().into();
            }
            let channel = push["channel"].as_str().unwrap_or_default().to_owned();
            if let Some(publication) = push.get_mut("pub") {
                self.make_whole(&channel, publication)?;
            }
        }
        serde_json::from_value(reply.clone()).map_err(|error| format!("{error}: {reply}"))
    }

    fn subscribed(&mut self, channel: String, answer: &mut Value) -> Result<(), String> {
        let (number, has_deltas) = (answer["id"].as_u64().unwrap_or_default(), answer["delta"] == true);
        if (number > 0, has_deltas) != (self.form.is_compact, self.form.has_deltas()) {
            return Err(format!("{answer} does not fit {:?}", self.form));
        }
        self.names.insert(number, channel.clone());
        if has_deltas {
            self.deltas.insert(channel.clone(), DeltaReader::default());
        }
        for publication in answer.get_mut("publications").and_then(Value::as_array_mut).into_iter().flatten() {
            self.make_whole(&channel, publication)?;
        }
        Ok(())
    }

    fn make_whole(&mut self, channel: &str, publication: &mut Value) -> Result<(), String> {
        if let Some(reader) = self.deltas.get_mut(channel) {
            publication["data"] = reader.data(self.form.codec, publication)?;
        }
        Ok(())
    }
}
