// Chance and transport: what most people never need.

import { page } from "../page";
import { type Settings, settings } from "../settings";
import { useStore } from "../store";

type Field = "seed" | "audio_temperature" | "audio_topk" | "text_temperature" | "word_temperature" | "text_topk";

const FIELDS: [Field, string, number, number, number][] = [
  ["audio_temperature", "Speech temperature", 0.05, 2, 0.05],
  ["audio_topk", "Speech top-k", 0, 4096, 1],
  ["text_temperature", "Text temperature", 0.05, 2, 0.05],
  ["word_temperature", "Word temperature", 0, 2, 0.05],
  ["text_topk", "Text top-k", 0, 65536, 1],
];

export function Advanced() {
  const { model } = useStore(page);
  const values = useStore(settings);
  const input = (name: Field, label: string, min: number, max: number, step: number, placeholder: string) => (
    <label key={name}>
      {label}
      <input
        id={name}
        type="number"
        min={min}
        max={max}
        step={step}
        inputMode="decimal"
        placeholder={placeholder}
        value={values[name]}
        onChange={(event) => settings.set({ [name]: event.target.value } as Partial<Settings>)}
      />
    </label>
  );
  return (
    <details className="card advanced">
      <summary>Advanced</summary>
      <div className="grid">
        {FIELDS.map(([name, label, min, max, step]) =>
          input(name, label, min, max, step, String(model?.sampling[name] ?? "")),
        )}
        {input("seed", "Seed", 0, 2 ** 31 - 1, 1, "random")}
        <label>
          Sound travels as
          <select
            value={values.transport}
            onChange={(event) => settings.set({ transport: event.target.value as Settings["transport"] })}
          >
            <option value="auto">Opus, where possible</option>
            <option value="pcm">PCM, uncompressed</option>
          </select>
        </label>
      </div>
      <p className="help">
        Higher temperatures surprise more. The text one tells how readily it begins to speak where words have one of their
        own (0: one for both); top-k 0 considers everything. The same seed, persona and sound give the same
        answer.
      </p>
    </details>
  );
}
