/** The Dockerfile's arguments that name public base images, with what each is known to be called. */
const PUBLIC = {
  GO_IMAGE: 'docker.io/library/golang:1.26-bookworm',
  NODE_IMAGE: 'docker.io/library/node:24-bookworm-slim',
  RUNTIME_IMAGE: 'gcr.io/distroless/cc-debian12:latest',
} as const;

/** A name, perhaps with a tag, and the digest of what it is. */
const PINNED = /^[^\s@]{1,255}@sha256:[0-9a-f]{64}$/;

/**
 * The public base images that the environment names, each by its digest (I4): what a tag means may change between two
 * builds of one commit. @throws Error with the command that finds a digest, where one lacks it.
 */
export function publicBases(environment: NodeJS.ProcessEnv): Record<string, string> {
  const given = Object.entries(PUBLIC).map(([name, usual]) => {
    const image = environment[name] ?? '';
    if (PINNED.test(image)) return [name, image] as const;
    const what = image === '' ? `${name} is not given` : `${name}=${image} has no digest`;
    throw new Error(
      `${what}, and a tag may mean something else tomorrow: ask \`docker buildx imagetools inspect ${image === '' ? usual : image}\` for the digest, and give ${name}=…@sha256:…`,
    );
  });
  return Object.fromEntries(given);
}
