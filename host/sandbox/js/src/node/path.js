// node:path, the POSIX half: paths of a session are such, on every machine. There is no working directory but the root.
import path from 'path-browserify';

const toNamespacedPath = (name) => name;
Object.assign(path, { toNamespacedPath, _makeLong: toNamespacedPath, posix: path });
delete path.win32;
export const { basename, delimiter, dirname, extname, format, isAbsolute, join, normalize, parse, posix, relative, resolve, sep } = path;
export { toNamespacedPath };
export default path;
