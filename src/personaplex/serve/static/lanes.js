// The last seconds of both voices on one grid: the agent above the line, the user below, one cell for each 80 ms.

const PITCH = 7; // px from one frame to the next
const BAR = 4; // px

export class Lanes {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.frames = []; // {agent, user}, levels 0..1, newest last
    this.muted = false;
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** @param {number} agent @param {number} user levels, 0..1 @param {boolean} muted */
  add(agent, user, muted) {
    this.frames.push({ agent, user, muted });
    if (this.frames.length > 600) this.frames.splice(0, 300);
    this.draw();
  }

  clear() {
    this.frames = [];
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const scale = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const style = getComputedStyle(canvas);
    const color = (name) => style.getPropertyValue(name).trim();
    const paint = canvas.getContext("2d");
    paint.setTransform(scale, 0, 0, scale, 0, 0);
    paint.clearRect(0, 0, width, height);
    const middle = height / 2;
    const tall = middle - 8;
    const columns = Math.floor((width - 2) / PITCH);
    for (let i = 0; i < columns; i++) {
      const frame = this.frames[this.frames.length - 1 - i];
      const x = width - (i + 1) * PITCH + (PITCH - BAR) / 2;
      this.bar(paint, x, middle - 2, -Math.max(BAR, (frame?.agent ?? 0) * tall), frame?.agent > 0.02 ? color("--agent") : color("--cell"));
      const user = frame?.muted ? color("--muted-cell") : frame?.user > 0.02 ? color("--user") : color("--cell");
      this.bar(paint, x, middle + 2, Math.max(BAR, (frame?.user ?? 0) * tall), user);
    }
  }

  bar(paint, x, y, height, color) {
    paint.fillStyle = color;
    paint.beginPath();
    paint.roundRect(x, Math.min(y, y + height), BAR, Math.abs(height), BAR / 2);
    paint.fill();
  }
}

/** Loudness as it is heard: -60 dB and below is 0, -6 dB and above is 1. @param {number} rms */
export function loudness(rms) {
  return Math.max(0, Math.min(1, (20 * Math.log10(rms + 1e-9) + 60) / 54));
}
