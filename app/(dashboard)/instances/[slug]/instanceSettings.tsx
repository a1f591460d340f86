import { Lock } from "lucide-react";
import type { InstanceDetail } from "../../../../server/views.ts";
import { day } from "../../../time.ts";

export function InstanceSettings({ instance }: { instance: InstanceDetail }) {
  return (
    <div className="max-w-180 px-4 py-7 md:px-10">
      <Variables instance={instance} />
    </div>
  );
}

/** The variables in effect; a secret's value never comes here. */
export function Variables({ instance }: { instance: InstanceDetail }) {
  const { variables } = instance;
  const secrets = variables.filter((variable) => variable.secret).length;
  return (
    <section aria-labelledby="variables" className="mt-8 first:mt-0">
      <div className="mb-2 flex items-baseline justify-between">
        <h2 id="variables" className="text-lead font-semibold">
          Variables
        </h2>
        <span className="text-sm text-ink-3">
          {variables.length === 0 ? "none" : `${secrets} of ${variables.length} are secret`}
        </span>
      </div>
      <dl className="border-t border-line">
        {variables.map((variable) => (
          <div key={variable.name} className="grid grid-cols-2 gap-4 border-b border-line py-3 text-sm">
            <dt className="font-mono break-all text-ink-2">{variable.name}</dt>
            <dd className="min-w-0 font-mono break-words whitespace-pre-wrap">
              {variable.value ?? (
                <span className="inline-flex items-center gap-2 font-sans text-ink-3">
                  <Lock size={14} aria-hidden />
                  Secret, set {day(variable.setAt)}
                </span>
              )}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
