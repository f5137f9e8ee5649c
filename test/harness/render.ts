import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { buildEngine } from '../../hack/build-engine.ts';
import { TowpathError } from '../../operator/api/errors.ts';
import type { Manifest } from '../../operator/manifest/manifest.ts';
import {
  type Rendered,
  Renderer,
  type RendererOptions,
  type RenderRequest,
  type ValuesLayer,
} from '../../operator/render/renderer.ts';
import { MemoryTree } from './memory-tree.ts';

const scopes = { '/ConfigMap': true, '/Secret': true, 'apps/Deployment': true, '/Namespace': false };
/** A chart named web in the directory web, without templates. */
export const chart = {
  'web/Chart.yaml': 'apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: "4.5"\n',
  'web/values.yaml': 'color: red\nnested: {a: 1, b: 2}\n',
};
/** A template that writes the values as JSON into a ConfigMap. */
export const showValues = {
  'web/templates/values.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: values}\ndata:\n  values: {{ toJson .Values | quote }}\n',
};

/** For namespace shop, with no values. */
export function request(path: string, changes: Partial<RenderRequest> = {}): RenderRequest {
  return {
    path,
    namespace: 'shop',
    releaseName: 'web',
    capabilities: { kubeVersion: 'v1.37.2', apiVersions: ['v1', 'apps/v1'] },
    scopes,
    labels: { 'towpath.dev/target': 't1' },
    owner: 'shop/web/default',
    ...changes,
  };
}

export function configMap(name: string, text: string): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n  text: ${text}\n`;
}

/** The error of a rendering that must fail for that reason, which a person must act on. */
export async function failure(rendering: Promise<unknown>, reason: string): Promise<TowpathError> {
  let caught: unknown;
  await rendering.then(
    () => assert.fail('it was rendered'),
    (error: unknown) => {
      caught = error;
    },
  );
  assert.ok(caught instanceof TowpathError, String(caught));
  assert.equal(caught.reason, reason, caught.message);
  assert.equal(caught.remedy, 'Person');
  return caught;
}

/** The data of the ConfigMap. */
export function data(rendered: Rendered, name: string): Record<string, string> {
  const found = rendered.objects.find((each) => each.name === name);
  assert.ok(found, `no object ${name}`);
  return JSON.parse(found.text).data;
}

export function names(objects: readonly Manifest[]): string[] {
  return objects.map((each) => each.name);
}
/** A Renderer for the tests of one file or suite; started before them, stopped after them. */
export class TestRenderer {
  #renderer: Renderer | undefined;

  constructor(options: Omit<RendererOptions, 'enginePath'> = {}) {
    before(async () => {
      this.#renderer = new Renderer({ enginePath: await buildEngine(), ...options });
    });
    after(() => this.#renderer?.stop());
  }

  get renderer(): Renderer {
    assert.ok(this.#renderer, 'the renderer is there while tests run');
    return this.#renderer;
  }

  /** Renders the directory `path` of the files. */
  render(
    files: Readonly<Record<string, string>>,
    changes: Partial<RenderRequest> = {},
    path = 'web',
  ): Promise<Rendered> {
    return this.renderer.render(new MemoryTree(files), request(path, changes));
  }

  /** The values that the chart's templates see. */
  async values(
    files: Readonly<Record<string, string>>,
    helm: Partial<ValuesLayer>,
  ): Promise<Record<string, unknown>> {
    const rendered = await this.render({ ...chart, ...showValues, ...files }, ofHelm(helm));
    return JSON.parse(data(rendered, 'values').values ?? '');
  }
}

/** A request with the values of `spec.helm`. */
export function ofHelm(values: Partial<ValuesLayer>): Pick<RenderRequest, 'helm'> {
  return { helm: { layers: [{ name: 'spec.helm', ...values }] } };
}
