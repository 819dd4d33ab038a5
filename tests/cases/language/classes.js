// Classes with fields, private members, statics, accessors and inheritance.
class Animal {
  static #made = 0;
  static made = () => Animal.#made;
  #name;
  legs = 4;
  constructor(name) { this.#name = name; Animal.#made++; }
  get name() { return this.#name; }
  set name(v) { this.#name = v.trim(); }
  #secret() { return `${this.#name}!`; }
  shout() { return this.#secret(); }
  static has(o) { return #name in o; }
  static { this.ready = true; }
}
class Bird extends Animal {
  legs = 2;
  constructor(n) { super(n); }
  shout() { return super.shout().toUpperCase(); }
  get [Symbol.toStringTag]() { return 'Bird'; }
}
const b = new Bird('robin');
b.name = ' wren ';
console.log(b.shout(), b.legs, Animal.made(), Animal.ready); // expect: WREN! 2 1 true
console.log(Animal.has(b), Animal.has({}), String(b)); // expect: true false [object Bird]
console.log(b instanceof Animal, Object.getPrototypeOf(Bird) === Animal); // expect: true true
try { Bird(); } catch (e) { console.log(e.name); } // expect: TypeError
const mixin = (Base) => class extends Base { fly() { return 'flies'; } };
console.log(new (mixin(Bird))('x').fly()); // expect: flies
