// Browser features that the page's modules need and that Node 18, the oldest supported version, lacks.

import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto;
globalThis.CustomEvent ??= class CustomEvent extends Event {
  constructor(type, { detail = null, ...options } = {}) {
    super(type, options);
    this.detail = detail;
  }
};

/** Storage in memory. */
export function memoryStorage() {
  const kept = new Map();
  return { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, String(value)), removeItem: (key) => kept.delete(key), get length() { return kept.size; } };
}

for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(globalThis, name, { value: memoryStorage(), configurable: true });
globalThis.addEventListener ??= () => {};

// Timers of a page do not keep a test running.
const { setTimeout: start } = globalThis;
globalThis.setTimeout = (...call) => start(...call).unref();

/** Replaces the timers for one test. The returned function lets time pass, in milliseconds. */
export function fakeTimers(t) {
  const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
  t.after(() => Object.assign(globalThis, real));
  let now = 0;
  let number = 0;
  const timers = new Map();
  globalThis.setTimeout = (callback, delay = 0) => {
    timers.set(++number, { at: now + delay, callback });
    return number;
  };
  globalThis.clearTimeout = (id) => timers.delete(id);
  return (milliseconds) => {
    const end = now + milliseconds;
    for (;;) {
      const [next] = [...timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at);
      if (!next) break;
      timers.delete(next[0]);
      now = next[1].at;
      next[1].callback();
    }
    now = end;
  };
}
