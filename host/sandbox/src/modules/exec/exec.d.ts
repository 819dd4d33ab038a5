export interface Options {
  /** Beneath the worktree, where programs run unless told otherwise. */
  cwd?: string;
  /** Only what the grant lets scripts set. */
  env?: Record<string, string>;
  /** What it reads; without it, nothing. */
  input?: string | Uint8Array;
  /** Milliseconds; at most what the grant says. */
  timeout?: number;
}
export interface Ended { status: number | null; signal: string | null }
/** Runs a program to its end and answers what it wrote to both streams. A status other than 0 is an Error with `status` and `output`. */
export function run(program: string, args?: (string | number)[], options?: Options): string;
/** Runs a program to its end, whatever its status. */
export function execFile(program: string, args?: (string | number)[], options?: Options): Promise<Ended & { stdout: string; stderr: string }>;
export function execFile(program: string, args: (string | number)[], options: Options & { encoding: null }): Promise<Ended & { stdout: Uint8Array; stderr: Uint8Array }>;
export interface Process extends AsyncIterable<{ stream: "stdout" | "stderr"; data: string | Uint8Array }> {
  on(event: "stdout" | "stderr", listener: (data: string | Uint8Array) => void): this;
  on(event: "exit", listener: (ended: Ended) => void): this;
  on(event: "error", listener: (error: Error) => void): this;
  /** Its end. What it writes meanwhile goes to the listeners, or nowhere. */
  wait(): Promise<Ended>;
  /** Sent to it and all that it started. */
  kill(signal?: "SIGHUP" | "SIGINT" | "SIGTERM" | "SIGKILL"): void;
}
/** Starts a program. `for await` what it writes, or listen to `stdout`, `stderr`, `exit` and `error`. */
export function spawn(program: string, args?: (string | number)[], options?: Options & { encoding?: null }): Process;
