// Both voices on one grid: the agent above the line, the user below, one column for each frame or, for a whole conversation, for
// a few. Where both speak the ground is tinted, and what that was is written beside it.

import { useEffect, useRef } from "react";
import { clock, FRAME_SECONDS } from "../frames";
import type { Column, Lanes } from "../talk/lanes";
import type { Mark } from "../talk/turns";

const PITCH = 6; // px from one column to the next
const NARROW = 500; // px; below it columns stand closer, so that some seconds are seen
const NARROW_PITCH = 4; // px
const BAR = 3.5; // px
const AXIS = 18; // px below the lanes, for times
const ROOM = 15; // px above and below, for what happened
const COLOURS = ["agent", "user", "cell", "muted-cell", "overlap", "soft", "ink", "line"] as const;

type Colours = Record<(typeof COLOURS)[number], string> & { font: string };

interface Options {
  whole?: boolean; // fit everything; else the newest is at the right edge
  position?: number; // s, of what is being heard
  names?: boolean; // write what happened
  axis?: boolean;
}

export function Timeline({
  lanes,
  whole,
  position,
  names = true,
  axis = true,
  onSeek,
}: Options & { lanes: Lanes; onSeek?: (seconds: number) => void }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const draw = useRef(() => {});
  useEffect(() => {
    const colours = readColours(canvas.current!);
    draw.current = () => paint(canvas.current!, lanes, colours, { whole, position, names, axis });
    draw.current();
  }, [lanes, whole, position, names, axis]);
  useEffect(() => {
    const redraw = () => draw.current();
    const recolour = () => {
      const colours = readColours(canvas.current!);
      draw.current = () => paint(canvas.current!, lanes, colours, { whole, position, names, axis });
      redraw();
    };
    const resized = new ResizeObserver(redraw);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    resized.observe(canvas.current!);
    dark.addEventListener("change", recolour);
    lanes.listeners.add(redraw);
    return () => {
      resized.disconnect();
      dark.removeEventListener("change", recolour);
      lanes.listeners.delete(redraw);
    };
  }, [lanes, whole, position, names, axis]);
  return (
    <canvas
      ref={canvas}
      className={onSeek ? "timeline seekable" : "timeline"}
      aria-hidden="true"
      onPointerDown={(event) => {
        const box = event.currentTarget.getBoundingClientRect();
        onSeek?.(((event.clientX - box.left) / box.width) * lanes.columns.length * FRAME_SECONDS);
      }}
    />
  );
}

function readColours(canvas: HTMLCanvasElement): Colours {
  const style = getComputedStyle(canvas);
  const read = Object.fromEntries(COLOURS.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  return { ...read, font: `500 11px ${style.fontFamily}` } as Colours;
}

function paint(canvas: HTMLCanvasElement, lanes: Lanes, colours: Colours, options: Options): void {
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width || !height) return;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const to = canvas.getContext("2d")!;
  to.setTransform(scale, 0, 0, scale, 0, 0);
  to.clearRect(0, 0, width, height);
  const frames = lanes.columns.length;
  const apart = width < NARROW ? NARROW_PITCH : PITCH;
  const slots = Math.max(1, Math.floor(width / apart));
  const each = options.whole ? Math.max(1, frames / slots) : 1; // frames in a column
  const first = options.whole ? 0 : frames - slots; // may be before the beginning
  const pitch = options.whole ? width / Math.max(1, Math.min(slots, frames)) : apart;
  const left = options.whole ? 0 : width - slots * apart;
  const x = (frame: number) => left + ((frame - first) / each) * pitch;
  const low = height - (options.axis ? AXIS : 0);
  const room = options.names ? ROOM : 2;
  const middle = low / 2;
  const tall = middle - room - 2;
  const count = options.whole ? Math.min(slots, frames) : slots;

  const at = (slot: number): Column | undefined =>
    each === 1
      ? lanes.columns[Math.floor(first) + slot]
      : loudest(lanes.columns, Math.floor(slot * each), Math.floor((slot + 1) * each));

  to.fillStyle = colours.overlap;
  for (let slot = 0; slot < count; slot++) {
    const column = at(slot);
    if (column?.agentSpeaks && column.userSpeaks) to.fillRect(left + slot * pitch, room, pitch + 0.5, low - 2 * room);
  }
  if (options.axis) times(to, colours, x, first, frames, low, height, width);
  const bar = Math.min(BAR, pitch * 0.62);
  for (let slot = 0; slot < count; slot++) {
    const column = at(slot);
    const middleX = left + slot * pitch + (pitch - bar) / 2;
    const agent = column?.agent ?? 0;
    const user = column?.user ?? 0;
    rounded(
      to,
      middleX,
      middle - 1.5,
      bar,
      -Math.max(bar, agent * tall),
      agent > 0.02 ? colours.agent : colours.cell,
      !column || column.agentSpeaks ? 1 : 0.45,
    );
    const userColour = column?.muted ? colours["muted-cell"] : user > 0.02 ? colours.user : colours.cell;
    rounded(
      to,
      middleX,
      middle + 1.5,
      bar,
      Math.max(bar, user * tall),
      userColour,
      !column || column.userSpeaks || column.muted ? 1 : 0.45,
    );
  }
  if (options.names) names(to, colours, lanes.marks, x, first, low, width);
  if (options.position !== undefined) {
    to.fillStyle = colours.ink;
    to.fillRect(Math.min(width - 2, x(options.position / FRAME_SECONDS)), 0, 2, low);
  }
}

/** Several frames as one column. */
function loudest(columns: Column[], from: number, to: number): Column {
  const some = columns.slice(from, Math.max(from + 1, to));
  return {
    agent: Math.max(...some.map(({ agent }) => agent)),
    user: Math.max(...some.map(({ user }) => user)),
    muted: some.every(({ muted }) => muted),
    agentSpeaks: some.some(({ agentSpeaks }) => agentSpeaks),
    userSpeaks: some.some(({ userSpeaks }) => userSpeaks),
  };
}

function rounded(
  to: CanvasRenderingContext2D,
  x: number,
  y: number,
  width: number,
  height: number,
  colour: string,
  alpha: number,
): void {
  to.globalAlpha = alpha;
  to.fillStyle = colour;
  to.beginPath();
  to.roundRect(x, Math.min(y, y + height), width, Math.abs(height), width / 2);
  to.fill();
  to.globalAlpha = 1;
}

function times(
  to: CanvasRenderingContext2D,
  colours: Colours,
  x: (frame: number) => number,
  first: number,
  frames: number,
  low: number,
  height: number,
  width: number,
): void {
  const apart = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800].find((s) => x(s / FRAME_SECONDS) - x(0) > 100) ?? 3600;
  const from = Math.max(0, Math.ceil((first * FRAME_SECONDS) / apart) * apart);
  to.font = colours.font;
  to.fillStyle = colours.soft;
  to.textBaseline = "bottom";
  for (let second = from; second <= frames * FRAME_SECONDS; second += apart) {
    const at = x(second / FRAME_SECONDS);
    const text = clock(second);
    const wide = to.measureText(text).width;
    if (at + wide + 4 > width) continue;
    to.fillText(text, at + 4, height - 1);
    to.fillStyle = colours.line;
    to.fillRect(at, low + 3, 1, height - low - 3);
    to.fillStyle = colours.soft;
  }
}

function names(
  to: CanvasRenderingContext2D,
  colours: Colours,
  marks: Mark[],
  x: (frame: number) => number,
  first: number,
  low: number,
  width: number,
): void {
  to.font = colours.font;
  const free = { agent: -Infinity, user: -Infinity };
  for (const { kind, side, start, end } of marks) {
    if (end < first || kind === "overlap") continue;
    const wide = to.measureText(kind).width;
    const at = Math.max(0, Math.min(x(start), width - wide - 6));
    if (at < free[side]) continue;
    free[side] = at + wide + 8;
    to.fillStyle = colours[side];
    to.textBaseline = side === "agent" ? "top" : "bottom";
    const y = side === "agent" ? 0 : low;
    to.fillRect(at, side === "agent" ? 1 : low - 12, 2, 11);
    to.fillText(kind, at + 5, y + (side === "agent" ? 1 : -1));
  }
}
