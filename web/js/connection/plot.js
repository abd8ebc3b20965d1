/** A small plot of the round trips. */

import { svg } from '../page/dom.js';

const WIDTH = 240;
const HEIGHT = 56;
const SAMPLES = 60;
const FLOOR_MS = 4;

/** A round-trip time with its unit, short enough for a panel. */
export function milliseconds(value) {
  if (value === null) return '–';
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}

/** The median, or null if there are no values. */
export function median(values) {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Runs of consecutive samples as points; a null ends a run. */
export function runs(samples, top, { width = WIDTH, height = HEIGHT, slots = SAMPLES } = {}) {
  const step = width / (slots - 1);
  const start = slots - samples.length;
  const found = [[]];
  samples.forEach((sample, index) => {
    if (sample === null) found.push([]);
    else found.at(-1).push([(start + index) * step, height - 4 - (sample / top) * (height - 10)]);
  });
  return found.filter((run) => run.length > 0);
}

const format = (points) => points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');

export class Plot {
  #samples = [];
  #root;

  constructor(container) {
    this.#root = svg('svg', { class: 'plot', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
    container.append(this.#root);
    this.#draw();
  }

  /** Adds a sample in milliseconds; null if there is none. */
  push(sample) {
    this.#samples.push(sample);
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    this.#draw();
  }

  get median() {
    return median(this.#samples.filter((sample) => sample !== null));
  }

  #draw() {
    const known = this.#samples.filter((sample) => sample !== null);
    const top = Math.max(FLOOR_MS, ...known) * 1.15;
    const lines = [0.25, 0.5, 0.75].map((part) => svg('line', { class: 'plot-grid', x1: 0, x2: WIDTH, y1: HEIGHT * part, y2: HEIGHT * part }));
    const shapes = runs(this.#samples, top).flatMap((points) => {
      const [first, last] = [points[0], points.at(-1)];
      const area = [[first[0], HEIGHT], ...points, [last[0], HEIGHT]];
      return [
        svg('polygon', { class: 'plot-area', points: format(area) }),
        svg('polyline', { class: 'plot-line', points: format(points.length > 1 ? points : [first, [first[0] + 1, first[1]]]) }),
      ];
    });
    this.#root.replaceChildren(...lines, ...shapes);
    this.#root.setAttribute('aria-label', known.length ? `Round trip, last ${known.length} samples: median ${milliseconds(this.median)}, highest ${milliseconds(Math.max(...known))}` : 'Round trip: no sample yet');
  }
}
