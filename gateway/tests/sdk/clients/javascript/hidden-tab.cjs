// The timers of a hidden tab: browsers run them only once a minute. Loaded before client.mjs.

const MINUTE = 60_000;
const setRealTimeout = globalThis.setTimeout;

globalThis.setTimeout = (callback, delay = 0, ...parameters) => {
    const now = performance.now();
    const nextRun = Math.ceil((now + delay) / MINUTE) * MINUTE;
    return setRealTimeout(callback, nextRun - now, ...parameters);
};
