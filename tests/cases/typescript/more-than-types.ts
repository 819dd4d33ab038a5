// Enums, parameter properties and namespaces are rewritten on their lines.
enum Color { Red, Green = 1 << 2, Blue }
const enum Size { Small = 'S', Large = `${Small}L` }
console.log(Color.Red, Color.Blue, Color[4], Size.Large, Object.keys(Size)); // expect: 0 5 Green SL [ 'Small', 'Large' ]
class Point {
  constructor(public readonly x: number, private y = x + 1, z?: number) { }
  where(): string { return new Error().stack!.split('\n')[1].trim() }
}
class Named extends Point {
  constructor(readonly name: string) {
    super(1)
    this.name += '!';
  }
}
console.log(new Named('n')); // expect: Named { x: 1, y: 2, name: 'n!' }
console.log(new Point(1).where()); // expect: at where (more-than-types.ts:7:28)
declare global { interface Window { none: true } }
declare function nowhere(): void;
console.log(typeof nowhere); // expect: undefined
