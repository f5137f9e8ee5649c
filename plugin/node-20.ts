/**
 * What operator/ takes for granted and Node 20 lacks: JSON.rawJSON, with which a number keeps the digits it was written
 * with. A kind's definition may have such numbers (`maximum: 9223372036854775807`), and is only looked into here: what
 * is sent and shown is its text. Imported before all else.
 */
const json = JSON as unknown as { rawJSON?: (text: string) => unknown };
json.rawJSON ??= Number;
