// Where an error of a class of the script's own happened is where it was made.
class NotFoundError extends Error {}
class Deeper extends NotFoundError {
  constructor(message) {
    super(message);
    this.deeper = true;
  }
}
function load() {
  throw new Deeper('gone');
}
load();
// exit: 1
// expect-error: subclass.js:10:9
// expect-error:   throw new Deeper('gone');
// expect-error:     at load (subclass.js:10:9)
