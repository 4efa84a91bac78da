// How the agent sounds: the model's voices by kind, and those that were added.

import { useState } from "react";
import { chosenVoice, page, preview, removeVoice, stopPreview, voiceName } from "../page";
import { KINDS, kindOf } from "../presets";
import type { Voice } from "../server";
import { settings } from "../settings";
import { useStore } from "../store";
import { Clone } from "./clone";
import { Icon } from "./icons";

export function Voices() {
  const { voices, canClone } = useStore(page);
  useStore(settings);
  const [playing, setPlaying] = useState<string | null>(null);
  const [cloning, setCloning] = useState(false);
  const chosen = voices.find(({ id }) => id === chosenVoice());
  if (!voices.length && !canClone) return null;
  const listen = async (id: string) => {
    if (playing === id) return stopPreview();
    setPlaying(id);
    await preview(id);
    setPlaying((now) => (now === id ? null : now));
  };
  return (
    <section className="card" aria-labelledby="voice-title">
      <div className="row">
        <h2 id="voice-title">How it sounds</h2>
        <div className="row">
          {chosen?.kind === "uploaded" && (
            <button
              type="button"
              className="quiet"
              onClick={() => confirm(`Delete the voice ${voiceName(chosen.id)}?`) && void removeVoice(chosen.id)}
            >
              <Icon name="trash" /> Delete
            </button>
          )}
          {chosen?.preview && (
            <button type="button" className="quiet" id="preview" onClick={() => void listen(chosen.id)}>
              <Icon name={playing === chosen.id ? "stop" : "play"} /> {playing === chosen.id ? "Stop" : "Listen"}
            </button>
          )}
          {canClone && (
            <button type="button" className="quiet" id="add-voice" onClick={() => setCloning(true)}>
              <Icon name="plus" /> Your own
            </button>
          )}
        </div>
      </div>
      <div className="voices" role="radiogroup" aria-labelledby="voice-title">
        {groups(voices).map(([title, members]) => (
          <div key={title} className="group">
            <span>{title}</span>
            <div className="chips">
              {members.map(({ id, name }) => (
                <label key={id} className="chip" title={name ?? id}>
                  <input
                    type="radio"
                    name="voice"
                    value={id}
                    checked={id === chosen?.id}
                    aria-label={voiceName(id)}
                    onChange={() => settings.set({ voice: id })}
                  />
                  <span>{kindOf(id)?.number ?? name ?? id}</span>
                </label>
              ))}
            </div>
          </div>
        ))}
      </div>
      {cloning && <Clone onClose={() => setCloning(false)} />}
    </section>
  );
}

/** Voices under the name of their kind, in the order in which the kinds appear. */
function groups(voices: Voice[]): [string, Voice[]][] {
  const found = new Map<string, Voice[]>();
  for (const voice of voices) {
    const kind = kindOf(voice.id)?.kind;
    const title = voice.kind === "uploaded" ? "Added" : kind ? KINDS[kind]! : "Other";
    found.set(title, [...(found.get(title) ?? []), voice]);
  }
  return [...found];
}
