/** What `fetch` takes beside the URL: the web's, and a time. */
export interface FetchInit extends RequestInit {
  /** Milliseconds until the answer must be complete; no more than the grant's `timeout_ms`. */
  timeout?: number;
}
/**
 * Sends a request to an origin that the template grants, and answers when the head of the answer is there. Rejects with a
 * TypeError that has a `code`: NOT_GRANTED, EPRIVATE, ENOTFOUND, ECONNREFUSED, ETIMEDOUT, EMSGSIZE, ...
 */
export function fetch(input: string | URL | Request, init?: FetchInit): Promise<Response>;
export default fetch;
global {
  function fetch(input: string | URL | Request, init?: import("fetch").FetchInit): Promise<Response>;
}
