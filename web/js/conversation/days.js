/** Days of the conversation, in the reader's time zone. */

const weekday = new Intl.DateTimeFormat('en-GB', { weekday: 'long' });
const date = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long', year: 'numeric' });

/** The midnight at which the day of a time began, in milliseconds. */
export const startOfDay = (time) => new Date(time).setHours(0, 0, 0, 0);

/** The midnight at which the day of a time ends. */
export function endOfDay(time) {
  const day = new Date(time);
  return day.setHours(24, 0, 0, 0);
}

/** "Today", "Yesterday" or "Friday, 27 November 2026". */
export function dayLabel(time, now) {
  const [day, today] = [startOfDay(time), startOfDay(now)];
  if (day === today) return 'Today';
  if (day === startOfDay(today - 1)) return 'Yesterday';
  return `${weekday.format(day)}, ${date.format(day)}`;
}

/** The date for `<time datetime>`. */
export function isoDay(time) {
  const day = new Date(time);
  const two = (number) => String(number).padStart(2, '0');
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}

/** Calls back when a new day has begun, also if the device slept at midnight. */
export function onNewDay(callback) {
  let end = endOfDay(Date.now());
  let timer = 0;
  const check = () => {
    const now = Date.now();
    clearTimeout(timer);
    if (now >= end) {
      end = endOfDay(now);
      callback();
    }
    timer = setTimeout(check, Math.max(1, end - now));
  };
  document.addEventListener('visibilitychange', check);
  check();
}
