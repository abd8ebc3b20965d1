// Browser features that the page's modules need and that Node 18, the oldest supported version, lacks.

import { webcrypto } from 'node:crypto';

globalThis.crypto ??= webcrypto;
globalThis.CustomEvent ??= class CustomEvent extends Event {
  constructor(type, { detail = null, ...options } = {}) {
    super(type, options);
    this.detail = detail;
  }
};

const kept = new Map();
Object.defineProperty(globalThis, 'localStorage', { value: { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) } });
globalThis.addEventListener ??= () => {};
