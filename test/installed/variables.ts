/** Directory of the images' archives, and why there is no node; set by hack/e2e.ts. */
export const IMAGES_VARIABLE = 'TOWPATH_TEST_IMAGES';
export const WITHOUT_NODE_VARIABLE = 'TOWPATH_TEST_WITHOUT_NODE';
/** Of the images. */
export const TAG = 'e2e';
