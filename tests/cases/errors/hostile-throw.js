// A thrown object that fights back when it is rendered.
// exit: 1
throw { get message() { throw 1; }, get name() { throw 2; }, get stack() { throw 3; }, toString() { throw 4; } };
