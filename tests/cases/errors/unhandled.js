// A rejection that nobody handles is reported, not lost.
// exit: 1
// expect-error: Error: nobody caught me
Promise.reject(new Error('nobody caught me'));
console.log('runs on'); // expect: runs on
