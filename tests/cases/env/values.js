// What the template gives is there, frozen; what it does not name is not.
// flags: --module env={"values":{"REGION":"eu","EMPTY":"","NUMBER":"7"}}
const env = require('env');
console.log(env.get('REGION'), env.get('NUMBER') === '7', JSON.stringify(env.get('EMPTY'))); // expect: eu true ""
console.log(env.get('PATH'), env.get('HOME'), env.get('__proto__'), env.get('constructor')); // expect: undefined undefined undefined undefined
console.log(env.has('REGION'), env.has('EMPTY'), env.has('PATH')); // expect: true true false
const all = env.all();
console.log(JSON.stringify(all), Object.isFrozen(all), Object.isFrozen(env)); // expect: {"EMPTY":"","NUMBER":"7","REGION":"eu"} true true
try { 'use strict'; Object.assign(all, { REGION: 'us' }); } catch (e) { console.log(e.name); } // expect: TypeError
console.log(require('env').all().REGION, 'toString' in all); // expect: eu false
