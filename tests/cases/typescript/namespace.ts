// Namespaces with values keep their statements on their lines.
// exit: 1
// expect-error: namespace.ts:14
namespace Geometry {
  export const origin = { x: 0, y: 0 };
  export interface Point { x: number; y: number }

  // A comment takes a line as well.
  export namespace Inner {
    export function where(p: Point): string {
      return `${p.x},
${p.y}` + origin.x;
    }
    export function fail(): never { throw new Error('here') }
  }
}
console.log(Geometry.Inner.where({ x: 1, y: 2 })); // expect: 1,
// expect: 20
Geometry.Inner.fail();
