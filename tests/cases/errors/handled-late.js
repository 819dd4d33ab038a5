// A rejection that is handled before the script's jobs are done is no error.
const p = Promise.reject(new Error('handled'));
await null;
console.log(await p.catch((e) => e.message)); // expect: handled
