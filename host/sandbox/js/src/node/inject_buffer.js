// For packages that know Buffer as a global.
export { Buffer as __Buffer } from 'node:buffer';
