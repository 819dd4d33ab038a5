// Top-level await works in a script, and jobs run in order.
const order = [];
queueMicrotask(() => order.push('micro'));
Promise.resolve().then(() => order.push('then 1')).then(() => order.push('then 2'));
(async () => {
  order.push('sync');
  await null;
  order.push('after await');
})();
const v = await new Promise((resolve) => resolve(41)) + 1;
await null;
await null;
console.log(order.join(', ')); // expect: sync, micro, then 1, after await, then 2
console.log(v); // expect: 42
for await (const x of [Promise.resolve('a'), 'b']) console.log(x); // expect: a
// expect: b
const settled = await Promise.allSettled([1, Promise.reject(new Error('no'))]);
console.log(settled.map((s) => s.status).join()); // expect: fulfilled,rejected
console.log(await Promise.any([Promise.reject(1), Promise.resolve('any')])); // expect: any
console.log(await Promise.race([new Promise(() => {}), Promise.resolve('race')])); // expect: race
const { promise, resolve } = Promise.withResolvers();
resolve('with resolvers');
console.log(await promise); // expect: with resolvers
