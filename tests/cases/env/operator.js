// A variable of the environment takes two: the template and the operator.
// flags: --allow-env PATH --allow-env VM_NOT_SET --module env={"names":["PATH","VM_NOT_SET","HOME"]}
const env = require('env');
console.log(typeof env.get('PATH'), env.get('VM_NOT_SET')); // expect: string undefined
try { env.get('HOME'); } catch (e) { console.log(e.code, e.message); } // expect: NOT_GRANTED HOME: `names` of module 'env' in the template grants it, the operator does not: --allow-env HOME
console.log(Object.keys(env.all()).join()); // expect: PATH
