// util.inspect and util.format: Node's own, extracted.
import extracted from 'node-inspect-extracted';

export const { inspect, format, formatWithOptions, stripVTControlCharacters } = extracted;
