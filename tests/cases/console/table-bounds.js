// flags: --max-output-kb 65536 --cpu-ms 20000
// stdout: any
// Tables are bounded: by rows, by columns and by wide cells.
console.log('many rows'); // expect: many rows
console.table(Array.from({ length: 200_000 }, (_, i) => [i]));
console.table(Array.from({ length: 3_000 }, (_, i) => ({ [`c${i}`]: i })));
console.table([Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`c${i}`, i]))]);
console.table(Array.from({ length: 1_000 }, () => ['x'.repeat(20_000), 1]));
console.table([new Uint8Array(100_000)]);
const cycle = []; cycle.push(cycle, { cycle });
console.table(cycle);
