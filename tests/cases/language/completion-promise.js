// A promise as completion value is awaited; what it settles to is the value.
new Promise((resolve) => Promise.resolve().then(() => resolve([1, 2]))); // expect: [ 1, 2 ]
