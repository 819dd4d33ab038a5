// A class of the script's own keeps its name.
// exit: 1
// expect-error: TeapotError: short and stout
class TeapotError extends Error { get name() { return 'TeapotError'; } }
throw new TeapotError('short and stout');
