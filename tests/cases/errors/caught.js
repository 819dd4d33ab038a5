// What scripts can read off an error they caught.
function thrower() { null.x; }
try { thrower(); } catch (e) {
  console.log(e instanceof TypeError, e.name, e.stack.includes('thrower')); // expect: true TypeError true
  console.log(/caught\.js:2/.test(e.stack)); // expect: true
}
const cause = new Error('why');
console.log(new Error('what', { cause }).cause === cause, new AggregateError([cause]).errors.length); // expect: true 1
try { undefined_name; } catch (e) { console.log(`${e}`); } // expect: ReferenceError: undefined_name is not defined
try { (void 0)(); } catch ({ name }) { console.log(name); } // expect: TypeError
try { new Array(-1); } catch ({ name }) { console.log(name); } // expect: RangeError
try { decodeURIComponent('%'); } catch ({ name }) { console.log(name); } // expect: URIError
try { throw null; } catch (e) { console.log(e); } // expect: null
console.log(Object.prototype.toString.call(new Error()), String(new EvalError('e'))); // expect: [object Error] EvalError: e
