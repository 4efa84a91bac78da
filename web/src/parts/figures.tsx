// How the connection fares: one figure at a glance, the rest on demand.

import { useStore } from "../store";
import type { Call } from "../talk/call";

const ms = (value: number | null) => (value === null ? "–" : `${Math.round(value)} ms`);

export function Delay({ call, open, onToggle }: { call: Call; open: boolean; onToggle: (open: boolean) => void }) {
  const { delay } = useStore(call.figures);
  return (
    <button
      type="button"
      className="delay"
      aria-expanded={open}
      title="Figures of the connection"
      onClick={() => onToggle(!open)}
    >
      Delay <b>{delay ? ms(delay) : "–"}</b>
    </button>
  );
}

export function Figures({ call }: { call: Call }) {
  const { delay, network, buffer, gaps, dropped, sent, received, tick, late, format } = useStore(call.figures);
  const { seed } = useStore(call.state);
  const rows: [id: string, name: string, value: string | number, means: string][] = [
    ["delay", "delay", ms(delay), "under way to the server and back, and waiting to be played"],
    ["network", "network", ms(network), "round trip of a ping"],
    ["buffer", "buffer", ms(buffer), "sound that waits to be played"],
    ["gaps", "gaps", gaps, "times that nothing was left to play"],
    ["dropped", "dropped", `${dropped.toFixed(1)} s`, "sound thrown away to stay in the present"],
    ...(tick === null
      ? []
      : ([["tick", "tick", ms(tick), "the server's time for 80 ms"]] as [string, string, string, string][])),
    ...(late === null
      ? []
      : ([["late", "late ticks", late, "ticks that took the server too long"]] as [string, string, number, string][])),
    ["frames", "frames", `${sent} / ${received}`, "sent and received"],
    ["format", "sound", format === "opus-raw" ? "Opus" : format === "pcm" ? "PCM" : "–", "how sound travels"],
    ["seed-used", "seed", seed ?? "–", "the conversation's chance"],
  ];
  return (
    <dl className="figures" aria-label="Figures of the connection">
      {rows.map(([id, name, value, means]) => (
        <div key={id} title={means}>
          <dt>{name}</dt>
          <dd id={id}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
