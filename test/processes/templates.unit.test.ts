// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how specifications name things
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { environment, Refusal, render, type Values } from '../../src/processes/templates.ts';
import { spec } from './support/world.ts';

const values: Values = {
  ...{ coordinate: '3.web.ann.oslo', host: 'h', zookeeper: 'z:1', artifact: '/a', work: '/w' },
  ports: { http: 80, admin: 81 },
};

describe('a template', () => {
  it.each([
    ['${coordinate} ${instance} ${host} ${zookeeper}', '3.web.ann.oslo 3 h z:1'],
    ['${artifact}${work}/${port.http}${port.admin}', '/a/w/8081'],
    ['$${host} $HOME $$ $ ${', '${host} $HOME $$ $ ${'],
    ['$$${host}', '$${host}'],
    ['{host} $ {host} ${host', '{host} $ {host} ${host'],
  ])('%s becomes %s', (text, expected) => {
    expect(render(text, values)).toBe(expected);
  });

  it.each([
    '${HOME}',
    '${}',
    '${port.other}',
    '${port}',
    '${ host }',
    '${__proto__}',
    '${constructor}',
    '${toString}',
    '${port.constructor}',
  ])('that names %s is refused, and says what there is', (text) => {
    expect(() => render(text, values)).toThrow(Refusal);
    expect(() => render(text, values)).toThrow(/there are .*\$\{port\.http\}/);
  });

  it('is not rendered twice', () => {
    expect(render('${host}', { ...values, host: '${work}' })).toBe('${work}');
  });

  test.prop([fc.string()])('without a name in it stays as it is', (text) => {
    fc.pre(!text.includes('${'));
    expect(render(text, values)).toBe(text);
  });
});

describe('an environment', () => {
  it('has ports and coordinate as they are, whatever the specification says', () => {
    const env = environment(spec('good', '1', { env: { PORT_HTTP: '1', COORDINATE: 'x', HOME: '/h' } }), values);
    expect(env).toMatchObject({ PORT_HTTP: '80', PORT_ADMIN: '81', COORDINATE: '3.web.ann.oslo', HOME: '/h' });
  });

  it('has nothing of the agent', () => {
    process.env.SECRET_OF_AGENT = 'x';
    const names = Object.keys(environment(spec('good'), values)).sort();
    delete process.env.SECRET_OF_AGENT;
    expect(names).toEqual(['COORDINATE', 'HOME', 'LANG', 'PATH', 'PORT_ADMIN', 'PORT_HTTP']);
  });
});
