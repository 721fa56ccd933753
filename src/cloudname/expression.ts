import { Coordinate, isName, parseServiceName, type ServiceName } from './coordinate.ts';
import { CloudnameError } from './errors.ts';

/** What a resolver expression asks for. */
export interface Expression extends ServiceName {
  /** Null: all endpoints. */
  readonly endpoint: string | null;
  /** One instance, or one strategy to choose among all. */
  readonly choice: { readonly instance: number } | { readonly strategy: string };
}

/**
 * One of, as they are tried:
 *
 * - `endpoint.instance.service.user.cell`
 * - `strategy.service.user.cell`
 * - `instance.service.user.cell`
 * - `endpoint.strategy.service.user.cell`
 *
 * @throws CloudnameError `malformed`
 */
export function parseExpression(text: string): Expression {
  const parts = text.split('.');
  const [service, user, cell] = parts.slice(-3);
  const [endpoint, choice] = parts.length === 5 ? parts.slice(0, 2) : [null, parts[0]];
  const isRight =
    (parts.length === 4 || parts.length === 5) &&
    (endpoint == null || isName(endpoint)) &&
    choice !== undefined &&
    (isName(choice) || /^[0-9]+$/.test(choice)) &&
    [service, user, cell].every((name) => name !== undefined && isName(name));
  if (!isRight) {
    throw new CloudnameError(
      'malformed',
      `"${text}" cannot be resolved: write instance.service.user.cell, strategy.service.user.cell, or one of them ` +
        'after the name of an endpoint, such as http.any.web.pay.oslo',
    );
  }
  const name = parseServiceName(parts.slice(-3).join('.'));
  if (isName(choice!)) return { ...name, endpoint: endpoint ?? null, choice: { strategy: choice! } };
  const { instance } = new Coordinate(Number(choice), name.service, name.user, name.cell);
  return { ...name, endpoint: endpoint ?? null, choice: { instance } };
}
