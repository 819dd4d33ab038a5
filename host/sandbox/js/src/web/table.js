// The mapping table of UTS #46, unpacked: three flat arrays and a text instead of 18,000 small arrays, which every
// collection of garbage would walk. build.mjs puts the packed table here: distances between the starts of ranges, their
// status, the number of their mapping, and the mappings, each with a NUL behind it.
const unpack = ([distances, statuses, numbers, texts]) => {
  const starts = distances.split(' '), mappings = numbers.split(' '), count = starts.length;
  const first = new Uint32Array(count), status = new Uint8Array(count), mapping = new Uint16Array(count);
  for (let i = 0, at = 0; i < count; i++) {
    at += (starts[i] === '' ? 0 : parseInt(starts[i], 36));
    first[i] = at;
    status[i] = Number(statuses[i]);
    mapping[i] = mappings[i] === '' ? 0 : parseInt(mappings[i], 36);
  }
  const ends = [0];
  for (let at = texts.indexOf('\0'); at >= 0; at = texts.indexOf('\0', at + 1)) ends.push(at + 1);
  return { first, status, mapping, texts, ends: Uint32Array.from(ends) };
};
const { first, status, mapping, texts, ends } = unpack(PACKED_TABLE);

/** `[status, mapping]` of a code point. */
export const findStatus = (point) => {
  let low = 0, high = first.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (first[middle] <= point) low = middle;
    else high = middle - 1;
  }
  const number = mapping[low];
  return [status[low], number === 0 ? undefined : texts.slice(ends[number - 1], ends[number] - 1)];
};
