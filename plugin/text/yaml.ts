import { stringify } from 'yaml';

/** Block YAML, as all readers take it: what an older one would read as a number or a boolean is quoted. */
export function yamlOf(value: unknown): string {
  return stringify(value, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false });
}
