// A result without a prototype is an ordinary answer.
// stdout: any
Object.create(null);
