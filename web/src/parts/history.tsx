// Earlier conversations: those that this browser keeps, and those that the server recorded.

import { clock } from "../frames";
import { forgetAll, forgetKept, forgetRecording, page, showKept, showRecording, voiceName } from "../page";
import { shortRole } from "../presets";
import { settings } from "../settings";
import { useStore } from "../store";
import { Icon } from "./icons";

interface Entry {
  id: string;
  started: number; // ms
  seconds: number;
  role: string;
  voice: string | null;
  server: boolean;
  show: () => void;
  forget: () => void;
}

export function History() {
  const { kept, recordings, model } = useStore(page);
  const { keep } = useStore(settings);
  const entries: Entry[] = [
    ...kept.map((one) => ({
      ...one,
      server: false,
      show: () => void showKept(one),
      forget: () => void forgetKept(one.id),
    })),
    ...(recordings ?? []).map((one) => ({
      ...one,
      voice: one.voice_name ?? one.voice,
      started: 1000 * one.started,
      server: true,
      show: () => void showRecording(one),
      forget: () => void forgetRecording(one.id),
    })),
  ].sort((a, b) => b.started - a.started);
  return (
    <section className="card history" aria-labelledby="history-title">
      <div className="row">
        <h2 id="history-title">Earlier conversations</h2>
        {kept.length > 1 && (
          <button
            type="button"
            className="quiet"
            onClick={() => confirm("Delete every conversation that this browser keeps?") && void forgetAll()}
          >
            <Icon name="trash" /> Delete all
          </button>
        )}
      </div>
      {entries.length === 0 && (
        <p className="help">{keep ? "They are kept in this browser only, and appear here." : "None are kept."}</p>
      )}
      <ul>
        {entries.map(({ id, started, seconds, role, voice, server, show, forget }) => (
          <li key={`${server} ${id}`}>
            <button type="button" className="open" onClick={show}>
              <Icon name="play" />
              <span>
                <b>{shortRole(role, model?.defaultRole)}</b>
                <small>
                  {day(started)} · {clock(seconds)}
                  {voice && ` · ${voiceName(voice)}`}
                  {server && " · on the server"}
                </small>
              </span>
            </button>
            <button
              type="button"
              className="icon-button"
              aria-label={`Delete the conversation of ${day(started)}`}
              onClick={forget}
            >
              <Icon name="trash" />
            </button>
          </li>
        ))}
      </ul>
      <label className="check">
        <input type="checkbox" checked={keep} onChange={(event) => settings.set({ keep: event.target.checked })} />
        Keep conversations in this browser
      </label>
    </section>
  );
}

function day(started: number): string {
  return new Date(started).toLocaleString(undefined, {
    day: "numeric",
    month: "short",
    hour: "numeric",
    minute: "2-digit",
  });
}
