// Which screen is shown, and the keys that work on each.

import { useEffect, useState } from "react";
import { home, page, talk, unlock } from "./page";
import { Keys } from "./parts/keys";
import { After } from "./screens/after";
import { Before } from "./screens/before";
import { During } from "./screens/during";
import { settings } from "./settings";
import { Store, useStore } from "./store";

const nothing = new Store<{ state?: string }>({});

export function App() {
  const { phase, problem, model, call, replay } = useStore(page);
  const { state } = useStore<{ state?: string }>((call?.state as unknown as Store<{ state?: string }>) ?? nothing);
  const [keys, setKeys] = useState(false);
  const [figures, setFigures] = useState(() => matchMedia("(min-width: 900px)").matches);
  useEffect(() => {
    document.body.dataset.state =
      phase !== "ready"
        ? phase
        : call
          ? (state ?? "asking")
          : replay
            ? replay.fresh
              ? "ended"
              : "replay"
            : problem
              ? "error"
              : "idle";
  });
  useEffect(() => {
    scrollTo(0, 0);
  }, [call, replay]);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const act = actionOf(
        event,
        () => setKeys(true),
        () => setFigures((open) => !open),
      );
      if (!act) return;
      event.preventDefault();
      act();
    };
    const leave = () => page.get().call?.hangUp();
    addEventListener("keydown", press);
    addEventListener("pagehide", leave);
    return () => {
      removeEventListener("keydown", press);
      removeEventListener("pagehide", leave);
    };
  }, []);
  return (
    <>
      <header className="top">
        <button type="button" className="brand" onClick={home} disabled={Boolean(call)}>
          <img src="icon.svg" alt="" width="28" height="28" /> PersonaPlex
        </button>
        <div className="row">
          <span className="model">{model?.name}</span>
          <button
            type="button"
            className="icon-button"
            aria-label="Keys"
            aria-keyshortcuts="?"
            onClick={() => setKeys(true)}
          >
            ?
          </button>
        </div>
      </header>
      {phase === "ready" ? (
        call ? (
          <During call={call} figures={figures} onFigures={setFigures} />
        ) : replay ? (
          <After replay={replay} />
        ) : (
          <Before />
        )
      ) : phase === "locked" ? (
        <Locked problem={problem} />
      ) : phase === "failed" ? (
        <main className="alone">
          <p className="problem" id="problem" role="alert">
            {problem}
          </p>
          <button type="button" onClick={() => location.reload()}>
            Try again
          </button>
        </main>
      ) : (
        <main className="alone" aria-busy="true" />
      )}
      <footer>
        <p>The voice is synthetic: a computer speaks, not a person.</p>
      </footer>
      {keys && <Keys onClose={() => setKeys(false)} />}
    </>
  );
}

/** What a key does here and now, or null where it has its own meaning. */
function actionOf(event: KeyboardEvent, list: () => void, figures: () => void): (() => void) | null {
  const { key, repeat, ctrlKey, metaKey, altKey } = event;
  const target = event.target as HTMLElement;
  if (repeat || ctrlKey || metaKey || altKey || !settings.get().keys) return null;
  if (target.closest("textarea, select, input:not([type=radio], [type=checkbox]), dialog")) return null;
  if (key === "?") return list;
  const { call, replay, phase } = page.get();
  const replaying = (what: string) => () => dispatchEvent(new CustomEvent("replay", { detail: what }));
  if (key === " " && target.closest("button, summary, input, [tabindex]:not(.words)")) return null;
  if (call) {
    const live = call.state.get().state === "live";
    if (key === " " && live) return () => call.mute();
    if (key === "e") return () => call.hangUp();
    if (key === "d") return figures;
    return null;
  }
  if (phase !== "ready") return null;
  if (key === "t") return () => void talk();
  if (!replay) return null;
  if (key === " ") return replaying("toggle");
  if (key === "ArrowLeft" && !target.closest("input")) return replaying("back");
  if (key === "ArrowRight" && !target.closest("input")) return replaying("on");
  return null;
}

function Locked({ problem }: { problem: string | null }) {
  const [key, setKey] = useState("");
  return (
    <main className="alone">
      <form
        className="card locked"
        onSubmit={(event) => {
          event.preventDefault();
          void unlock(key.trim());
        }}
      >
        <h1>This server asks for a key</h1>
        <p className="help">Whoever runs it has given you one. It is kept in this browser.</p>
        {problem && (
          <p className="problem" id="problem" role="alert">
            {problem}
          </p>
        )}
        <label className="stack">
          Key
          <input type="password" autoComplete="off" value={key} onChange={(event) => setKey(event.target.value)} />
        </label>
        <button type="submit" className="primary" disabled={!key.trim()}>
          Open
        </button>
      </form>
    </main>
  );
}
