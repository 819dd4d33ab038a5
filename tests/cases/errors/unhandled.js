// A rejection that nobody handles is reported, not lost; the script itself ends as it would have.
// expect-error: Uncaught (in promise) Error: nobody caught me
Promise.reject(new Error('nobody caught me'));
console.log('runs on'); // expect: runs on
