(() => {
  const filter = document.querySelector(".filter");
  const articles = [...document.querySelectorAll("article")];
  const words = document.getElementById("words");
  const category = document.getElementById("category");
  const count = document.getElementById("count");
  if (articles.length < 2) return;
  const texts = articles.map((article) => article.textContent.toLowerCase());

  const apply = () => {
    const wanted = words.value.trim().toLowerCase().split(/\s+/);
    let shown = 0;
    articles.forEach((article, i) => {
      const fits = (!category || !category.value || article.dataset.category === category.value)
        && wanted.every((word) => texts[i].includes(word));
      article.hidden = !fits;
      shown += fits;
    });
    count.textContent = `${shown} of ${articles.length}`;
  };

  words.addEventListener("input", apply);
  if (category) category.addEventListener("change", apply);
  filter.hidden = false;
  apply();
})();
