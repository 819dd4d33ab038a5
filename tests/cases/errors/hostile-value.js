// A completion value whose toString throws is an ordinary answer.
console.log('alive'); // expect: alive
// stdout: any
({ toString() { throw new Error('no'); }, toJSON() { throw new Error('no'); } });
