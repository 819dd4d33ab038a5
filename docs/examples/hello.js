// A first script: the language is all there, nothing else is unless a module is listed.
const words = ['sandboxed', 'JavaScript', 'says', 'hello'];
console.log(words.join(' '));

console.log(Object.fromEntries(words.map((word) => [word, word.length])));

const unlisted = ['process', 'fetch', 'module'].filter((name) => typeof globalThis[name] !== 'undefined');
console.log('ambient host objects:', unlisted.length);

try {
  require('fs');
} catch (error) {
  console.log(error.message);
}

// The value of the last expression is the script's result.
await Promise.all([1, 2, 3].map(async (n) => n * n));
