// Which parts of the report are used, to improve the page: a name of ours and nothing else,
// each once a visit. Nothing is sent where the browser asks for privacy; what a patient has
// objected to is dropped where it arrives.

const address = document.querySelector('meta[name=usage]')?.content;
if (address && !navigator.globalPrivacyControl) watch();

function watch() {
  const told = new Set();
  const tell = (action, subject) => {
    const event = JSON.stringify({ action, subject });
    if (told.has(event)) return;
    told.add(event);
    // It outlives the page. A lost event is no loss.
    fetch(address, { method: 'POST', body: event, keepalive: true, referrerPolicy: 'no-referrer' }).catch(() => {});
  };
  // Scrolled past is not looked at.
  const waiting = new Map();
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      clearTimeout(waiting.get(target));
      if (isIntersecting) waiting.set(target, setTimeout(() => tell('section_view', target.id), 2000));
    }
  }, { rootMargin: '-25% 0px' });
  for (const section of document.querySelectorAll('main section[id]')) seen.observe(section);
  document.addEventListener('change', ({ target }) => {
    if (target.name === 'overlay') tell('map_view', target.value || 'skin');
  });
  document.addEventListener('click', ({ target }) => {
    const link = target.closest('a, .viewer-open, .viewer-steps button');
    if (link?.matches('.languages a')) tell('language_change', link.hreflang);
    else if (link?.matches('a[download]')) tell('download', /(\w+)\.\w+$/.exec(link.href)?.[1]);
    else if (link?.matches('.viewer-open')) tell('model_move');
    else if (link?.matches('.viewer-steps button')) tell('feature_tap');
  });
  addEventListener('beforeprint', () => tell('print'));
  tell('page_view');
}
