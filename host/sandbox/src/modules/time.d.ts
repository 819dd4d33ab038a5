/** A time: milliseconds since 1970, a Date, or text of RFC 3339. */
export type Time = number | string | Date;
/** A length of time: milliseconds, or text as `1h30m`, `1.5s`, `-2d`, `PT1H30M`. */
export type Duration = number | string;
/** Milliseconds since 1970. */
export function now(): number;
/** Milliseconds of a clock that never goes back. */
export function monotonic(): number;
/** The milliseconds since 1970 of a date or time of RFC 3339; a date alone is midnight in UTC. */
export function parse(text: string): number;
/** As `2026-02-28T12:30:00.000Z`. Of now, if nothing is given. */
export function iso(when?: Time): string;
/** In UTC, by a pattern as that of strftime: `%Y-%m-%d %H:%M:%S`; `%L` is milliseconds. */
export function format(when: Time | undefined, pattern?: string): string;
/** Milliseconds of a length of time. */
export function duration(value: Duration): number;
/** As `1d2h3m4s5ms`. */
export function formatDuration(value: Duration): string;
/** The milliseconds since 1970 of a time that much later. */
export function add(when: Time, value: Duration): number;
