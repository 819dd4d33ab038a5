/** Stands for a secret in a text, such as a header of `fetch`. */
export interface SecretRef {
  /** `{{secret:NAME}}`: the host puts the value there when it sends the request. */
  toString(): string;
}
/** Stands for a secret that the grant lists under `names`: `headers: { authorization: `Bearer ${ref("API")}` }`. */
export function ref(name: string): SecretRef;
/** The value of a secret that the grant lists under `reveal`. Rejects with NOT_GRANTED, or ENOSECRET when there is none. */
export function get(name: string): Promise<string>;
const secrets: Readonly<{ ref: typeof ref; get: typeof get }>;
export default secrets;
