/**
 * Ranges of semantic versions as spec.source.ref.semver may have them: the grammar of Masterminds/semver, which
 * Helm uses. In what RE2 and JavaScript both understand, for the API server and for who parses them.
 */

const NUMBER = '([0-9]{1,15}|[xX*])';
const IDENTIFIERS = '[0-9A-Za-z-]+(\\.[0-9A-Za-z-]+)*';

/** `1.2.3-rc.1+build`; parts may lack, or be wildcards. */
export const RANGE_VERSION = `v?${NUMBER}(\\.${NUMBER}){0,2}(-${IDENTIFIERS})?(\\+${IDENTIFIERS})?`;
export const RANGE_OPERATOR = '(=|!=|>|<|>=|=>|<=|=<|~|~>|\\^)';

const TERM = `(${RANGE_VERSION} +- +${RANGE_VERSION}|(${RANGE_OPERATOR} *)?${RANGE_VERSION})`;
const PART = `${TERM}(( *, *| +)${TERM})*`;

/** Terms that must all hold, joined by spaces or commas; of parts joined by `||` one must hold. */
export const VERSION_RANGE = `^ *${PART} *(\\|\\| *${PART} *)*$`;
