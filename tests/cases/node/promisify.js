// flags: --module util --module timers
const { promisify } = require('util'), timers = require('timers'), promises = require('timers/promises');
console.log(await promisify(setTimeout)(1, 'v'), await promisify(setImmediate)('w'), await promisify(timers.setTimeout)(1, 'x'), await promisify(timers.setImmediate)('y'), promisify(setTimeout) === promises.setTimeout, promisify(timers.setImmediate) === promises.setImmediate); // expect: v w x y true true
