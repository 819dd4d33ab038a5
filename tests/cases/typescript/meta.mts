// An entry file in TypeScript knows its place, too.
const { url, filename, dirname }: { url: string; filename: string; dirname: string } = import.meta;
console.log(url, filename, dirname); // expect: file:///meta.mts /meta.mts /
export {};
