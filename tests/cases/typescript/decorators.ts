// exit: 1
// expect-error: decorators.ts:4:1
// expect-error: SyntaxError: Decorators are not supported
@sealed
class A { }
