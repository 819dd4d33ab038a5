// Where a call was begun and a property is read, as Node says it, whatever stands in the lines after it.
function boom() { throw new Error('x'); }
const o = { x: 1, y: 2, f() { return boom(); } };
const at = (f) => { try { f(); } catch (e) { console.log(e.stack.match(/positions.js:\d+:\d+/g).slice(0, 2).map((place) => place.slice(13)).join()); } };
at(() => boom(
  o.x,

  o.y
));
at(() => {
  throw new Error(
    `a ${o.x}` +

    o.y);
});
at(() => { const q = 1;
  return null.x;
});
at(() => o
  .f());
at(() => o.
  g(o.x));
at(() => { const n = undefined;
  n[
    o.x];
});
at(() => { new boom(o.x,
  o.y); });
at(() => { undefinedVar; });
at(() => { [1].map((v) =>
  boom(v)); });
at(() => { boom(...[o.x,
  o.y]); });
at(() => { JSON.parse(
  '{'); });
// expect: 2:25,5:10
// expect: 11:9,4:27
// expect: 17:15,4:27
// expect: 2:25,3:38
// expect: 22:3,4:27
// expect: 24:4,4:27
// expect: 2:25,27:12
// expect: 29:12,4:27
// expect: 2:25,31:3
// expect: 2:25,32:12
// expect: 34:17,4:27
